"""What one fit takes from earlier ones: designs, checkpoints; and how long its stages take."""
