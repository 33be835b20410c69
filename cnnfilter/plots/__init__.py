"""Pictures of what is computed: the one place that knows matplotlib."""
