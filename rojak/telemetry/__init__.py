"""What a worker process tells about itself: metrics and traces."""
