"""An environment's stacks made ready, planned, judged, shown and applied: what commands share."""
