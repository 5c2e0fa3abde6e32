//! Audio devices, rings and WAV files.
