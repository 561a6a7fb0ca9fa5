"""Programs as people write them: healthy ones and sick ones modeled on public reports."""
