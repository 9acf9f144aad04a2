"""Lists the environments of this interpreter, or draws one, for the window's form.

    environment_info.py list            one JSON object: versions and environment ids
    environment_info.py preview ID      a JSON line with the size, then the picture's RGB bytes

Runs in the user's interpreter; nothing of gym-gui is imported.
"""

import importlib
import importlib.util
import json
import pkgutil
import re
import sys

# packages whose import registers environments without an entry point of their own
REGISTERING = ("ale_py", "minigrid", "miniworld", "highway_env", "gymnasium_robotics", "shimmy")


def register_all():
    """Import what registers environments; a broken package is reported, not fatal."""
    problems = {}
    for name in REGISTERING:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        except Exception as error:  # noqa: BLE001 - a third-party package: others still count
            problems[name] = f"{type(error).__name__}: {error}"
    return problems


def listing():
    import gymnasium

    problems = register_all()
    ids = []
    for env_id, spec in gymnasium.registry.items():
        if spec.entry_point is not None:
            ids.append([env_id, str(spec.entry_point)])
    return {
        "python": sys.version.split()[0],
        "gymnasium": gymnasium.__version__,
        "environments": sorted(ids),
        "games": games(),
        "problems": problems,
    }


def games():
    """Return PettingZoo's classic games of turns, as ids for playing by hand."""
    try:
        found = importlib.util.find_spec("pettingzoo.classic")
    except ImportError:
        return []
    places = found.submodule_search_locations if found else []
    names = [module.name for module in pkgutil.iter_modules(places)]
    versioned = [name for name in names if re.search(r"_v\d+$", name)]
    return [f"pettingzoo/classic/{name}" for name in sorted(versioned)]


def preview(env_id):
    """Return height, width and RGB bytes of the first picture of ``env_id``."""
    import gymnasium
    import numpy

    register_all()
    env = gymnasium.make(env_id, render_mode="rgb_array")
    try:
        env.reset(seed=0)
        frame = numpy.ascontiguousarray(env.render(), dtype=numpy.uint8)
    finally:
        env.close()
    return frame


def main():
    if sys.argv[1] == "list":
        json.dump(listing(), sys.stdout)
        return
    frame = preview(sys.argv[2])
    height, width = frame.shape[:2]
    sys.stdout.write(json.dumps({"width": width, "height": height}) + "\n")
    sys.stdout.flush()
    sys.stdout.buffer.write(frame[..., :3].tobytes())


if __name__ == "__main__":
    main()
