"""Some forty lines: what an exported model says of one grey image, with OpenCV and ONNX Runtime alone."""

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
assert prepare["resize"] == "stretch" and prepare.get("breast_region", "keep") == "keep", "not in forty lines"
grey = cv2.imread(sys.argv[2], cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
if grey is not None and grey.dtype == np.uint16:  # by the depth of the training images, not of this one
    largest = 2 ** prepare["bit_depth"] - 1
    grey = np.rint(np.minimum(grey, largest) * (255 / largest)).astype(np.uint8)
assert grey is not None and min(grey.shape) >= side, "an image at least as large as the network's"
grey = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
if prepare["clahe"]:
    grid = (prepare["clahe_grid"], prepare["clahe_grid"])
    grey = cv2.createCLAHE(prepare["clahe_clip_limit"], grid).apply(grey)
images = np.repeat(grey[None, None].astype(np.float32), 3, axis=1)  # (1, 3, side, side)
outputs = [output.name for output in session.get_outputs()]
answer = dict(zip(outputs, session.run(outputs, {"images": images}), strict=True))
chances = dict(zip(model["class_names"], answer["probabilities"][0].tolist(), strict=True))
rule = model.get("decision") or {}
point, sets, limit = (rule.get(name) for name in ("operating_point", "conformal", "novelty"))
decision = max(chances, key=chances.__getitem__)
if point:  # the target class from its threshold on, below it the most probable of the others
    others = [name for name in chances if name != point["class_name"]]
    called = chances[point["class_name"]] >= point["threshold"] * (1 - 1e-6)
    decision = point["class_name"] if called else max(others, key=chances.__getitem__)
plausible = (
    [name for name, least in zip(chances, sets["thresholds"], strict=True) if chances[name] >= least * (1 - 1e-6)]
    if sets
    else None
)
unlike = not answer["novelty"][0] <= limit["limit"] if limit and "novelty" in answer else None
refer = None if sets is None and unlike is None else bool(unlike or (sets and plausible != [decision]))
print(model["notice"], file=sys.stderr)
print(json.dumps({"decision": decision, "plausible": plausible, "refer": refer, "probabilities": chances}))
