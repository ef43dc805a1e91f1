"""The main job on real input: an index of the Python standard library, made by array jobs."""
