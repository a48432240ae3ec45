"""The commands, each with its options and its flow; none imports another."""
