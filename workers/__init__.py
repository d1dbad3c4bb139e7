"""What turns a recording into a clip and a lesson. Read `pipeline.py` first."""
