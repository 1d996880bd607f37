"""Studies from Python, in scripts and notebooks: `breastai.train`, `breastai.load` and the like; also in a running event loop."""
