"""Some twenty lines: the probabilities of one grey image by an exported model, with OpenCV and ONNX Runtime alone."""

import json
import os
import sys

import cv2
import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else ONNX Runtime tells its makers of this machine
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
model = json.loads(session.get_modelmeta().custom_metadata_map["breastai"])
prepare, side = model["preprocessing"], model["image_size"]
assert prepare["resize"] == "stretch" and prepare.get("breast_region", "keep") == "keep", "not in twenty lines"
grey = cv2.imread(sys.argv[2], cv2.IMREAD_GRAYSCALE)
assert grey is not None and min(grey.shape) >= side, "an image at least as large as the network's"
grey = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
if prepare["clahe"]:
    grid = (prepare["clahe_grid"], prepare["clahe_grid"])
    grey = cv2.createCLAHE(prepare["clahe_clip_limit"], grid).apply(grey)
images = np.repeat(grey[None, None].astype(np.float32), 3, axis=1)  # (1, 3, side, side)
probabilities = session.run(["probabilities"], {"images": images})[0][0].tolist()
print(model["notice"], file=sys.stderr)
print(json.dumps(dict(zip(model["class_names"], probabilities, strict=True))))
