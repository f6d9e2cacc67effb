"""Duration, levels and waveform of a WAV file, in one pass and bounded memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

BLOCK = 1 << 16  # samples, all channels together
CONTAINERS = frozenset({"WAV", "WAVEX", "RF64"})
ENCODINGS = frozenset({"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"})


class WavError(Exception):
    """The file cannot be analysed; trying again does not help."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """Levels are relative to full scale 1.0; None stands for silence, which has no level in decibels."""

    duration_seconds: float
    sample_rate: int
    channels: int
    frames: int
    encoding: str
    rms_dbfs: float | None
    peak: float
    peak_dbfs: float | None
    waveform: list[float]  # the largest absolute sample of each of equally long parts


def decibels(level: float) -> float | None:
    """20 log10 of a level, or None for 0."""
    return round(20 * math.log10(level), 3) if level > 0 else None


class Summary:
    """Accumulates blocks of samples whose total number is known beforehand."""

    def __init__(self, frames: int, buckets: int) -> None:
        self._frames = frames
        self._peaks: NDArray[np.float64] = np.zeros(min(buckets, frames))
        self._squares = 0.0
        self._samples = 0
        self._position = 0

    def add(self, block: NDArray[np.float64]) -> None:
        """A block of shape (frames, channels). Raises WavError on samples that are not finite."""
        if not np.isfinite(block).all():
            raise WavError("the file holds samples that are not finite numbers")
        self._squares += float(np.einsum("ij,ij->", block, block))
        self._samples += block.size
        loudest = np.abs(block).max(axis=1)
        where = (np.arange(self._position, self._position + len(block)) * len(self._peaks)) // self._frames
        np.maximum.at(self._peaks, np.minimum(where, len(self._peaks) - 1), loudest)
        self._position += len(block)

    @property
    def rms(self) -> float:
        """Root of the mean square over all channels."""
        return math.sqrt(self._squares / self._samples) if self._samples else 0.0

    @property
    def peaks(self) -> list[float]:
        """The loudest sample of each part."""
        return [round(float(peak), 6) for peak in self._peaks]

    @property
    def peak(self) -> float:
        """The loudest sample of all."""
        return float(self._peaks.max(initial=0.0))


def analyse(file: BinaryIO, buckets: int) -> Analysis:
    """Reads the file from its start. Raises WavError when it is no WAV file that can be analysed."""
    file.seek(0)
    if file.read(4) not in {b"RIFF", b"RIFX", b"RF64"}:
        raise WavError("not a WAV file")
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:
            if sound.format not in CONTAINERS or sound.subtype not in ENCODINGS:
                raise WavError(f"{sound.format} {sound.subtype} is not supported; use PCM or float WAV")
            if sound.frames <= 0:
                raise WavError("the file holds no sample")
            summary = Summary(sound.frames, buckets)
            for block in sound.blocks(
                blocksize=max(1, BLOCK // sound.channels), dtype="float64", always_2d=True
            ):
                summary.add(block)
            return Analysis(
                duration_seconds=round(sound.frames / sound.samplerate, 6),
                sample_rate=sound.samplerate,
                channels=sound.channels,
                frames=sound.frames,
                encoding=sound.subtype,
                rms_dbfs=decibels(summary.rms),
                peak=round(summary.peak, 6),
                peak_dbfs=decibels(summary.peak),
                waveform=summary.peaks,
            )
    except soundfile.LibsndfileError as error:
        raise WavError(f"not a readable WAV file: {error.error_string}") from error
