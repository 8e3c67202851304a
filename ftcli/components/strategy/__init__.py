"""What trains, and when: pure functions from options and a layer map to stretches of training."""
