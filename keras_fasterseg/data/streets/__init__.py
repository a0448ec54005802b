"""Drawing of the small street scenes of `SyntheticStreets`."""
