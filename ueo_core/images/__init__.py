"""Images in: folders, zip files and uploads -> a safe, decoded, deduplicated store.

store = Store(Path("store"), short_side=366)
report = store.ingest(Path("photos"))
images = store.open(report.set_id)
images.pixels(0)  # uint8 (H, W, 3)
"""

from .image_set import ImageSet, Original
from .labels import FolderMap, as_classes, csv_labels, folder_labels, map_folders
from .limits import Limits
from .originals import Originals
from .report import IntakeReport, Progress, SetInfo, Skipped, Usage, Warned
from .sources import within_roots
from .store import Store
from .subset import Subset

__all__ = [
    "FolderMap",
    "ImageSet",
    "IntakeReport",
    "Limits",
    "Original",
    "Originals",
    "Progress",
    "SetInfo",
    "Skipped",
    "Store",
    "Subset",
    "Usage",
    "Warned",
    "as_classes",
    "csv_labels",
    "folder_labels",
    "map_folders",
    "within_roots",
]
