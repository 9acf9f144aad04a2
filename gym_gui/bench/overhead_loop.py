"""A training loop without training: random actions, in stretches that the benchmark asks for.

Knows nothing of gym-gui. ``python overhead_loop.py ENV_ID MODULE SOCKET``; each line ``SECONDS`` on
the socket is answered by ``STEPS SECONDS CPU_SECONDS``, measured by the loop itself.
"""

import importlib
import socket
import sys
import time

import gymnasium

LOOK_EVERY = 50  # steps between looks at the clock


def stretch(env, seconds):
    """Step for about so long; return steps, seconds, and this process's own computing."""
    steps = 0
    computed = time.process_time()
    begun = now = time.perf_counter()
    while now - begun < seconds:
        for _ in range(LOOK_EVERY):
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                env.reset()
        steps += LOOK_EVERY
        now = time.perf_counter()
    return steps, now - begun, time.process_time() - computed


def main(env_id, module, path):
    """Serve one benchmark until it hangs up."""
    if module:
        gymnasium.register_envs(importlib.import_module(module))
    env = gymnasium.make(env_id)
    env.action_space.seed(1)
    env.reset(seed=1)
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(path)
        for line in link.makefile("r"):
            link.sendall(f"{' '.join(map(str, stretch(env, float(line))))}\n".encode())
    env.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
