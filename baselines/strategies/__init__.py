"""Search strategies beside OptFusion."""
