"""CloudWatch: metrics, alarms and what they do, and filters of logs."""
