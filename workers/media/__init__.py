"""Everything that touches media: the sandbox, ffmpeg, probing, Whisper."""
