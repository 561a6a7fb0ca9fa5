"""The command `tb-activations`: one file a subcommand."""
