"""Kokoro as a process: a line of JSON for each speech, one for each answer. Started by src/kokoro.js.

First line out: {"cuda", "gpu", "weights"}. {"ping": true} is answered with {"cuda"}; {"text", "voice",
"speed", "file"} writes a WAV file and is answered with {"seconds"}, or {"error"}.
"""

from __future__ import annotations

import json
import os
import sys
import wave
from pathlib import Path
from typing import Any

RATE = 24_000
MODELS = Path(os.environ.get("KOKORO_MODELS", "/app/kokoro-models"))
CONFIG, WEIGHTS, VOICES = MODELS / "config.json", MODELS / "kokoro-v1_0.pth", MODELS / "voices"


class Speaker:
    """The model on the GPU, and one pipeline for each accent, made when first asked for."""

    def __init__(self) -> None:
        from kokoro import KModel

        self.model = (
            KModel(repo_id="hexgrad/Kokoro-82M", config=str(CONFIG), model=str(WEIGHTS)).to("cuda").eval()
        )
        self.pipelines: dict[str, Any] = {}

    def speak(self, text: str, voice: str, speed: float, file: str) -> float:
        """Writes the file; its length in seconds."""
        import numpy
        from kokoro import KPipeline

        accent = voice[0]
        if accent not in self.pipelines:
            self.pipelines[accent] = KPipeline(
                lang_code=accent, repo_id="hexgrad/Kokoro-82M", model=self.model
            )
        spoken = self.pipelines[accent](text, voice=str(VOICES / f"{voice}.pt"), speed=speed)
        parts = [result.audio.cpu().numpy() for result in spoken if result.audio is not None]
        if not parts:
            raise ValueError("nothing was spoken")
        sound = numpy.clip(numpy.concatenate(parts), -1, 1)
        with wave.open(file, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes((sound * 32767).astype("<i2").tobytes())
        return len(sound) / RATE


def main() -> None:
    import torch

    # Libraries print; only answers may go where answers are read.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**found: Any) -> None:
        answers.write(json.dumps(found) + "\n")

    cuda = bool(torch.cuda.is_available())
    weights = CONFIG.is_file() and WEIGHTS.is_file() and VOICES.is_dir()
    speaker = Speaker() if cuda and weights else None
    answer(cuda=cuda, gpu=torch.cuda.get_device_name(0) if cuda else None, weights=weights)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked.get("ping"):
            answer(cuda=bool(torch.cuda.is_available()))
            continue
        try:
            if speaker is None:
                raise RuntimeError(f"no weights in {MODELS}")
            answer(seconds=speaker.speak(asked["text"], asked["voice"], asked["speed"], asked["file"]))
        except Exception as error:
            answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
