"""Which checkpoints a job has saved when: needed when corruption is found late."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SavedTrain:
    """`count` checkpoints, the first of `first_step` at `first_s`, then every period."""

    first_s: float
    first_step: float
    period_s: float
    steps: int
    count: int


class SavedHistory:
    """Checkpoints in the order of time."""

    def __init__(self) -> None:
        self._trains: list[SavedTrain] = []

    def add(
        self,
        first_s: float,
        first_step: float,
        period_s: float = 0.0,
        steps: int = 0,
        count: int = 1,
    ) -> None:
        """Remember `count` checkpoints at equal distances in time and steps."""
        if count > 0:
            self._trains.append(SavedTrain(first_s, first_step, period_s, steps, count))

    def last_before(self, time_s: float) -> tuple[float, float]:
        """Time and step of the last checkpoint completed by `time_s`; (0, 0) without one."""
        for train in reversed(self._trains):
            if train.first_s <= time_s:
                ahead = time_s - train.first_s
                index = int(ahead / train.period_s) if train.period_s > 0.0 else train.count - 1
                index = min(index, train.count - 1)
                return (
                    train.first_s + index * train.period_s,
                    train.first_step + index * train.steps,
                )
        return 0.0, 0.0

    def forget_after(self, time_s: float) -> None:
        """Checkpoints later than `time_s` are worthless."""
        kept = [train for train in self._trains if train.first_s <= time_s]
        if kept and kept[-1].count > 1:
            last = kept[-1]
            ahead = time_s - last.first_s
            count = last.count
            if last.period_s > 0.0:
                count = min(int(ahead / last.period_s) + 1, last.count)
            kept[-1] = SavedTrain(last.first_s, last.first_step, last.period_s, last.steps, count)
        self._trains = kept
