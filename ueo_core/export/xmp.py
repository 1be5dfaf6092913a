"""XMP sidecars: predictions as keywords that photo managers show. Photos are never touched.

A sidecar of `name.jpg` is `name.jpg.xmp`, the name that darktable and digiKam look for. Lightroom reads
sidecars of raw files only, whatever their name.
"""

import os
from pathlib import Path
from xml.sax.saxutils import escape

from ueo_core.data.safe_names import printable
from ueo_core.export.predicted_images import PredictedFile, TreeExport
from ueo_core.export.trees import NotWritten
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes

ROOT = "UEO Studio"  # keyword above all others, so that they can be found and removed together
# Every program that changes a sidecar writes its own name here.
TOOLKIT = "UEO Studio"
_HEAD = f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{TOOLKIT}">'


def write_xmp(export: TreeExport) -> None:
    """One sidecar for each file, where the file is below its source; no image."""
    places = _places([file.path for file in export.batch])
    for file, place in zip(export.files(), places, strict=True):
        try:
            export.write(f"{place}.xmp", sidecar(file).encode("utf-8"))
        except NotWritten as error:
            export.fail(file, str(error))


def sidecar(file: PredictedFile) -> str:
    """The XMP packet of one file: its label as a keyword, flat and below `ROOT`."""
    label = _keyword(file.label)
    return f"""{_HEAD}
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/">
   <dc:subject><rdf:Bag><rdf:li>{label}</rdf:li></rdf:Bag></dc:subject>
   <lr:hierarchicalSubject><rdf:Bag><rdf:li>{ROOT}|{label}</rdf:li></rdf:Bag></lr:hierarchicalSubject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def _keyword(label: str) -> str:
    """A label as the text of one keyword: `|` would divide it into two levels."""
    return escape(printable(label).replace("|", "/"))


def _places(paths: list[str]) -> list[str]:
    """Where files are below the folder that holds all of them; names of a source are so already."""
    if not any(os.path.isabs(path) or ".." in Path(path).parts for path in paths):
        return paths
    whole = [os.path.abspath(path) for path in paths]
    try:
        common = os.path.commonpath([os.path.dirname(path) for path in whole])
    except ValueError:
        raise UserError(
            "Format xmp: the images are on several drives; export those of one drive at a time."
        ) from None
    return [Path(os.path.relpath(path, common)).as_posix() for path in whole]


class BesidePhotos:
    """Sidecars into a folder that is there: none of another program is changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, place: str, data: bytes) -> None:
        path = self._folder / place
        try:
            if not path.with_suffix("").is_file():
                raise NotWritten("the photo is not there")
            if path.exists() and not path.read_bytes().startswith(_HEAD.encode("utf-8")):
                raise NotWritten("a sidecar of another program is there and was left as it is")
            write_bytes(path, data)
        except OSError as error:
            raise NotWritten(error.strerror) from error
