"""Serve this folder, and beside it model.onnx and what the model says of itself: python serve.py MODEL.onnx [PORT]."""

import os
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else ONNX Runtime tells its makers of this machine
import onnxruntime


def server(model: Path, port: int = 8080) -> ThreadingHTTPServer:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    files = {"/model.onnx": model.read_bytes()}
    files["/model.json"] = session.get_modelmeta().custom_metadata_map["breastai"].encode()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in files:
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.end_headers()
            self.wfile.write(files[self.path])
            return None

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing for each file."""

    folder = str(Path(__file__).parent)
    return ThreadingHTTPServer(("localhost", port), lambda *given: Handler(*given, directory=folder))


if __name__ == "__main__":
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8080
    print(f"http://localhost:{port}/")
    server(Path(sys.argv[1]), port).serve_forever()
