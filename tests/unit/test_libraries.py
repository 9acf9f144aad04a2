"""What set-up and doctor know of system libraries."""

from gym_gui.commands.libraries import LIBRARIES, MANAGERS, missing_libraries, packages


def test_every_library_has_a_package_for_every_manager():
    for library, names in LIBRARIES.items():
        assert len(names) == len(MANAGERS), library
        assert all(names)


def test_packages_are_named_once_each():
    everything = packages(list(LIBRARIES), "dnf")
    assert len(everything) == len(set(everything))
    assert "libglvnd-egl" in everything


def test_a_library_that_does_not_exist_is_missing(monkeypatch):
    monkeypatch.setitem(LIBRARIES, "libno-such-thing.so.9", ("a", "b", "c"))
    assert "libno-such-thing.so.9" in missing_libraries()
    assert packages(["libno-such-thing.so.9"], "pacman") == ["c"]
