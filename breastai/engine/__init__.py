"""Torch: building, training, judging and exporting networks on an ordinary processor."""

from breastai.engine.deferred_dynamo import defer_dynamo

defer_dynamo()  # before anything here imports torchvision or timm
