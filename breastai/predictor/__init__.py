"""A model to answers, by ONNX Runtime: what runs on a computer that only predicts. No torch, no scikit-learn."""
