"""Where revisions come from: a folder, or a Git branch, tag or commit. Both implement `control.ports.Source`."""
