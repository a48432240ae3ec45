"""What keeps an environment from being destroyed, and is taken away as its operator would do it."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from prod_e.names import ServiceNames
from prod_e_ops.demo.checks import Clients

if TYPE_CHECKING:
    from prod_e.settings import Environment


def let_go(environment: "Environment", clients: Clients) -> None:
    """Lifts AWS's own protection, and deletes images and access logs.

    Doing it with Terraform would make the demo wait for over a minute until the provider believes
    that the database has changed. What is not there any more is no mistake.
    """
    names = environment.names
    if environment.database:
        rds = clients("rds")
        with suppress(rds.exceptions.DBInstanceNotFoundFault):
            rds.modify_db_instance(
                DBInstanceIdentifier=names.database, DeletionProtection=False, ApplyImmediately=True
            )
    elb = clients("elbv2")
    try:
        balancers = elb.describe_load_balancers(Names=[names.load_balancer])["LoadBalancers"]
    except elb.exceptions.LoadBalancerNotFoundException:
        balancers = []
    for balancer in balancers:
        arn = balancer["LoadBalancerArn"]
        attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        known = {each["Key"]: each["Value"] for each in attributes}
        off = ["deletion_protection.enabled", "access_logs.s3.enabled"]
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": "false"} for key in off]
        )
        if bucket := known.get("access_logs.s3.bucket"):
            _empty(clients("s3"), bucket)
    for key, service in environment.services.items():
        repository = ServiceNames.of(environment.name, key, service).repository
        delete_images(clients("ecr"), repository)


def _empty(s3: Any, bucket: str) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])


def delete_images(ecr: Any, repository: str) -> None:
    """Deletes all images of a repository, if that is there."""
    try:
        found = ecr.list_images(repositoryName=repository)["imageIds"]
    except ecr.exceptions.RepositoryNotFoundException:
        return
    digests = sorted({image["imageDigest"] for image in found})
    if digests:
        ecr.batch_delete_image(
            repositoryName=repository, imageIds=[{"imageDigest": each} for each in digests]
        )
