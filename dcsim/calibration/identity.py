"""Whether a profile speaks of the machine that it is used on."""

from dcsim.records.profile import MachineIdentity, Profile
from dcsim.workers import machine_identity


def machine_warnings(profile: Profile, machine: MachineIdentity | None = None) -> tuple[str, ...]:
    """One sentence for each way in which `machine` (default: this one) is another.

    Predictions of real jobs hold on the machine that was measured; predictions of
    accelerators read only dimensionless figures from it.
    """
    differences = profile.host.machine.differences(machine or machine_identity())
    return tuple(
        f"the profile was measured on another machine: {difference}" for difference in differences
    )
