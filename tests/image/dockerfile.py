"""Reads a Dockerfile as far as ours goes."""
import json
import re
import shlex
from dataclasses import dataclass, field


@dataclass
class Image:
    """The last stage of a Dockerfile, and how the stage before it fills its folders."""

    builds: list = field(default_factory=list)  # commands of the stage before
    copies: list = field(default_factory=list)  # (from, to, owner)
    environment: dict = field(default_factory=dict)
    user: str = "0:0"
    volumes: list = field(default_factory=list)
    ports: set = field(default_factory=set)
    health: list = field(default_factory=list)
    stop_signal: str = "SIGTERM"
    entry_point: list = field(default_factory=list)
    command: list = field(default_factory=list)


def instructions(text):
    """(name, rest) of each, with continued lines joined."""
    text = re.sub(r"(?m)^\s*#.*\n", "", text)
    text = re.sub(r"\\\n\s*", " ", text)
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        yield name.upper(), rest.strip()


def read(text):
    image, runs = Image(), []
    for name, rest in instructions(text):
        if name == "FROM":
            # What runs in a stage is what the next one may copy from.
            image, runs = Image(builds=runs), []
        elif name == "RUN":
            runs.append(rest)
        elif name == "COPY":
            words = rest.split()
            flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
            paths = [word for word in words if not word.startswith("--")]
            image.copies.append((*paths, flags.get("chown", "0:0")))
        elif name == "ENV":
            image.environment |= dict(word.split("=", 1) for word in shlex.split(rest))
        elif name == "USER":
            image.user = rest
        elif name == "VOLUME":
            image.volumes.append(rest)
        elif name == "EXPOSE":
            image.ports |= set(map(int, rest.split()))
        elif name == "HEALTHCHECK":
            image.health = json.loads(rest.partition("CMD ")[2])
        elif name == "STOPSIGNAL":
            image.stop_signal = rest
        elif name == "ENTRYPOINT":
            image.entry_point = json.loads(rest)
        elif name == "CMD":
            image.command = json.loads(rest)
        elif name != "WORKDIR":
            raise ValueError(f"{name} is not known here")
    return image
