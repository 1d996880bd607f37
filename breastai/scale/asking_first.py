"""The question of leaks before a study: asked once for all its runs, before the study leaves a trace on disk."""

from collections.abc import Generator

from breastai.clinical.leak_gate import pass_gate
from breastai.data.cases.run_folders import Folders
from breastai.domain.config import Config
from breastai.domain.events import Event, JobStopped
from breastai.domain.jobs import Crossval, TrainSeeds, Tune
from breastai.scale.ray_connection import check_cluster
from breastai.storage.run_recorder import Stop
from breastai.storage.workspace import Workspace


def ask_first(
    job: Crossval | Tune | TrainSeeds, config: Config, folders: Folders, workspace: Workspace, stop_requested: Stop
) -> Generator[Event, None, bool]:
    """Look at the images of a study; return whether it may begin, or was stopped meanwhile.

    Raises LeaksDoubtful or TwinsFound where data.on_leak has to answer first, and ClusterUnreachable before the look.
    """
    if config.system.cluster is not None:
        check_cluster(config.system.cluster)
    looking = pass_gate(config, folders, workspace, asker=(job.kind, job.config))
    try:
        for event in looking:
            yield event
            if stop_requested():
                yield JobStopped(job=job.kind, session_id=job.session_id)
                return False
    finally:
        looking.close()
    return True
