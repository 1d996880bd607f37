"""How long it takes to read a described data set of many files: 100,000 in 10,000 patient folders, with a table.

python benchmarks/described_files.py [FILES] [PATIENTS]
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from breastai.data.sources.case_source import read_description
from breastai.domain.dataset_description import parse_description


def write_files(root: Path, files: int, patients: int) -> None:
    """Write empty files PATIENT/IMAGE.png, and a table with a row for each."""
    rows = ["image_id,patient_id,laterality,view,age,cancer,split"]
    for patient in range(patients):
        (root / f"{patient:05d}").mkdir()
        for image in range(files // patients):
            name = f"{patient:05d}_{image}"
            (root / f"{patient:05d}" / f"{name}.png").touch()
            rows.append(f"{name},{patient},{'LR'[image % 2]},CC,{40 + patient % 40},{patient % 7 == 0:d},training")
    (root / "images.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def main() -> None:
    files, patients = (
        (int(text) for text in (*sys.argv[1:], "100000", "10000")[:2]) if sys.argv[1:] else (100_000, 10_000)
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_files(root, files, patients)
        description = parse_description(
            {
                "name": "many",
                "root": folder,
                "tables": [{"file": "images.csv", "join": [{"column": "image_id"}]}],
                "fields": {
                    "label": "cancer",
                    "patient": "patient_id",
                    "breast": "laterality",
                    "view": "view",
                    "age": "age",
                    "split": "split",
                },
                "class_map": {"0": "no cancer", "1": "cancer"},
                "subgroups": [{"name": "age", "role": "age", "bands": [50, 65]}],
            }
        )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start, cpu = time.perf_counter(), time.process_time()
        table = read_description(description, root, on_progress=lambda seen: print(f"\r{seen} files", end="\r"))
        took_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        patients_read = len(set(table.columns["patient"]))
        print(
            f"{len(table)} images of {patients_read} patients read in {took_s:.1f} s ({cpu_s:.1f} s of CPU), {len(table.skipped)} left out"
        )
        print(f"memory: {before:.0f} MiB before, {after:.0f} MiB at most")


if __name__ == "__main__":
    main()
