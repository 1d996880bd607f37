"""Embeddings: what a network's frozen layers make of each image, computed once and kept beside the image cache."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import timm
import torch
from torch import Tensor

from breastai.data.cases.image_set import ImageSet
from breastai.data.preprocessing.embedding_store import (
    SHARE_OF_CACHE,
    EmbeddingStore,
    default_embeddings_root,
    drop_oldest,
    open_store,
)
from breastai.domain.config import Config
from breastai.engine.image_statistics import COUNT
from breastai.engine.network.evaluation import statistics_of
from breastai.engine.network.loader import evaluation_batches
from breastai.engine.network.models import Built, normalize
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup
from breastai.engine.network.runtime import Runtime

EMBEDDING_VERSION = 1
# A run that is killed loses no more images than these.
_WRITTEN_TOGETHER = 256


@dataclass(frozen=True)
class Embeddings:
    """`features` float32 (N, D): what a classifier would see; `statistics` float32 (N, E): of the images shown."""

    features: npt.NDArray[np.float32]
    statistics: npt.NDArray[np.float32]


def embed_images(
    images: ImageSet, built: Built, runtime: Runtime, config: Config, world: ProcessGroup = SINGLE_PROCESS
) -> Iterator[int | Embeddings]:
    """Yield how many images are done after each batch, and at the end the embeddings of all, in their order.

    Only images that the store does not know go through the network, always in float32. Of several processes each
    computes its part, and all return the whole.
    """
    own = images.subset(np.arange(len(images))[world.shard(len(images))])
    width = built.model.head.in_features
    store = open_store(default_embeddings_root(), store_key(images, built), width + COUNT)
    keys = own.entry_keys
    rows, known = store.read(keys)
    missing = np.flatnonzero(~known)
    done = int(known.sum())
    yield done * world.size
    written = True
    for start in range(0, len(missing), _WRITTEN_TOGETHER):
        chunk = missing[start : start + _WRITTEN_TOGETHER]
        place = 0
        for made in _computed(own.subset(chunk), built, runtime, config):
            rows[chunk[place : place + len(made)]] = made
            place += len(made)
            yield min(len(images), (done + start + place) * world.size)
        # Once the disk has refused, asking it again for each chunk would only take time.
        written = written and store.write([keys[number] for number in chunk], rows[chunk])
    if len(missing):
        _keep_to_limit(store, config)
    whole = world.all_gather(rows, len(images))
    yield Embeddings(whole[:, :width], whole[:, width:])


def embeddings_of(steps: Iterator[int | Embeddings]) -> Embeddings:
    """Return the embeddings at the end of `embed_images`, for who needs no progress."""
    *_, last = steps
    assert isinstance(last, Embeddings)
    return last


def store_key(images: ImageSet, built: Built) -> str:
    """Return a name for all that decides about the embedding of an image beside its content.

    The weights speak for themselves, wherever they came from.
    """
    digest = hashlib.sha256(network_sha256(built).encode())
    for part in (EMBEDDING_VERSION, torch.__version__, timm.__version__, images.preprocessing_key):
        digest.update(f"\n{part}".encode())
    return digest.hexdigest()[:32]


def network_sha256(built: Built) -> str:
    """Return the hash of a network without its classifier: names, shapes and weights, and how images are normalised."""
    model = built.model
    digest = hashlib.sha256(repr((type(model.backbone).__name__, repr(model.pool), built.mean, built.std)).encode())
    for name, tensor in sorted(model.state_dict().items()):
        if not name.startswith("head."):
            digest.update(f"\n{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def _bytes_of(tensor: Tensor) -> bytes:
    found: bytes = tensor.detach().cpu().contiguous().numpy().tobytes()
    return found


def _computed(images: ImageSet, built: Built, runtime: Runtime, config: Config) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the rows of each batch."""
    model, data = built.model, config.data
    was_training = model.training
    model.eval()
    try:
        for batch in evaluation_batches(images, data.batch_size, data.num_workers):
            pixels = batch.images.to(runtime.device)
            with torch.inference_mode():
                features = model.features(normalize(pixels, built.mean, built.std)).float().cpu().numpy()
            yield np.concatenate([features, statistics_of(pixels)], axis=1)
    finally:
        model.train(was_training)


def _keep_to_limit(store: EmbeddingStore, config: Config) -> None:
    drop_oldest(store.folder.parent, store.folder, SHARE_OF_CACHE * config.system.cache_gb * 2**30)
