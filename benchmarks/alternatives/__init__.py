"""What other ways to watch a training cost: one small network, each way compared with its own plain training."""
