"""PNG pictures of feature maps, unit lives and inputs."""
