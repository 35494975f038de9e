"""What may stand after ``model:`` in a workload file: templates and files of other tools, one module each."""
