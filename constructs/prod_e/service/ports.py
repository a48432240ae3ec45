"""The ports that a container may listen on."""

LEAST_PORT = 1024
"""Below it a program needs the Linux capability NET_BIND_SERVICE, and tasks hold none; ECS makes no
exception, as Docker does for a container with a network of its own:
https://github.com/aws/containers-roadmap/issues/1721"""
