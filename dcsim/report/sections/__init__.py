"""The parts of the report, in order; each turns stored results into typst source or None."""

from dcsim.report.sections.answer import answer
from dcsim.report.sections.cluster import cluster_over_time
from dcsim.report.sections.provenance import provenance
from dcsim.report.sections.rivals import rivals
from dcsim.report.sections.sharing import what_jobs_share
from dcsim.report.sections.storage import what_storage_gives
from dcsim.report.sections.time import where_time_goes
from dcsim.report.sections.trust import how_far_to_trust

#: Add a section by adding its function here.
SECTIONS = (
    answer,
    rivals,
    where_time_goes,
    cluster_over_time,
    what_jobs_share,
    what_storage_gives,
    how_far_to_trust,
    provenance,
)

__all__ = ["SECTIONS"]
