"""Studies of several readers and several cases: figures of each reader, inference to readers and cases, agreement."""
