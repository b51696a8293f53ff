"""What a dataset is, found out without Wherry: its indexes are read as the guide says, its files as they are."""
import hashlib
import json
import urllib.parse


class Folder:
    """A dataset in a local lake."""

    def __init__(self, path):
        self.path = path

    def versions(self):
        return sorted(int(p.stem) for p in self.path.glob("_versions/*.json"))

    def index(self, version=None):
        version = version or self.versions()[-1]
        return json.loads((self.path / f"_versions/{version:012}.json").read_text())

    def current(self):
        return json.loads((self.path / "_current.json").read_text())

    def read(self, path):
        return (self.path / path).read_bytes()

    def files(self):
        """Every data file that is there, whether it belongs to a version or not."""
        return {str(p.relative_to(self.path)) for p in self.path.rglob("*")
                if p.is_file() and not str(p.relative_to(self.path)).startswith("_")}


def check_whole(dataset, version=None):
    """Every file of the version has the bytes that its index says. Returns the index."""
    index = dataset.index(version)
    for file in index["files"]:
        data = dataset.read(file["path"])
        assert len(data) == file["bytes"] and hashlib.sha256(data).hexdigest() == file["sha256"], file["path"]
        names = [part for part in file["path"].split("/") if "=" in part]
        told = [urllib.parse.unquote(name.partition("=")[2]) for name in names]
        assert told == ["__HIVE_DEFAULT_PARTITION__" if v is None else v for v in file["partition"]], file["path"]
    for sum_of in ("rows", "bytes"):
        assert index[sum_of] == sum(f[sum_of] for f in index["files"]), sum_of
    assert int(index["row_hash"], 16) == sum(int(f["row_hash"], 16) for f in index["files"]) % 2**64
    return index


def check_tidy(dataset):
    """The versions follow each other, all are whole, and there is no file that belongs to none."""
    versions = dataset.versions()
    assert versions == list(range(versions[0], versions[-1] + 1)), versions
    kept = {f["path"] for v in versions for f in check_whole(dataset, v)["files"]}
    assert dataset.files() == kept, (sorted(dataset.files() - kept)[:5], sorted(kept - dataset.files())[:5])
    assert dataset.current() == dataset.index(), "_current.json is not the newest version"
