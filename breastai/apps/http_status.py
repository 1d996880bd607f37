"""Which HTTP status an error of ours is."""

from breastai.domain.errors import (
    BackupNotFound,
    BreastAIError,
    CheckpointNotFound,
    ClusterNotAllowed,
    ConfigInvalid,
    DataNotFound,
    DataOutsideRoots,
    DiskFull,
    DocumentNotFound,
    ExportNotFound,
    ImageNotHanded,
    InputError,
    NameInvalid,
    NotQueued,
    PathNotFound,
    QueueFull,
    RequestInvalid,
    RequestUnknown,
    RunNotFound,
    SessionError,
    StoreNotAllowed,
    StoreNotCopied,
    StoreNotFound,
    StudyExists,
    StudyNotFound,
    TooManyRequests,
    TooMuchHanded,
    all_errors,
)

# The most precise class counts: a row for a class holds for those below it.
STATUSES: dict[type[BreastAIError], int] = {
    RequestInvalid: 400,
    ConfigInvalid: 400,
    NameInvalid: 400,
    ClusterNotAllowed: 403,
    DataOutsideRoots: 403,
    StoreNotAllowed: 403,
    RequestUnknown: 404,
    BackupNotFound: 404,
    CheckpointNotFound: 404,
    DataNotFound: 404,
    DocumentNotFound: 404,
    ExportNotFound: 404,
    ImageNotHanded: 404,
    NotQueued: 404,
    PathNotFound: 404,
    RunNotFound: 404,
    StoreNotFound: 404,
    StudyNotFound: 404,
    TooManyRequests: 429,
    QueueFull: 429,
    TooMuchHanded: 429,
    SessionError: 409,
    StoreNotCopied: 409,
    StudyExists: 409,
    InputError: 422,
    DiskFull: 507,
    BreastAIError: 500,
}
ERROR_STATUSES = tuple(sorted(set(STATUSES.values())))


def status_of(code: str) -> int:
    """Return the status of the error `code`."""
    found = all_errors().get(code, BreastAIError)
    return next(STATUSES[kind] for kind in found.__mro__ if kind in STATUSES)
