"""Relational Database Service."""

import uuid
from typing import Any

from moto.rds.models import DBInstance, DBParameterGroup, RDSBackend


def apply() -> None:
    _instances_remember_performance_insights()
    _instances_have_their_own_resource_id()
    _parameters_say_who_set_them()


def _instances_remember_performance_insights() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    create = RDSBackend.create_db_instance
    fields = (
        "enable_performance_insights",
        "performance_insights_kms_key_id",
        "performance_insights_retention_period",
    )

    def create_db_instance(self: Any, db_kwargs: dict[str, Any]) -> Any:
        instance = create(self, db_kwargs)
        for field in fields:
            if field in db_kwargs:
                setattr(instance, field, db_kwargs[field])
        return instance

    RDSBackend.create_db_instance = create_db_instance
    DBInstance.enable_performance_insights = False
    DBInstance.performance_insights_enabled = property(
        lambda self: self.enable_performance_insights
    )


def _instances_have_their_own_resource_id() -> None:
    # By this the provider finds an instance; moto gives the same one to all.
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html
    make = DBInstance.__init__

    def make_instance(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        self.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"

    DBInstance.__init__ = make_instance


def _parameters_say_who_set_them() -> None:
    # The provider takes a parameter without it for one of the engine's defaults.
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Parameter.html
    update = DBParameterGroup.update_parameters

    def update_parameters(self: Any, new_parameters: list[dict[str, Any]]) -> None:
        update(self, [{**new, "Source": "user", "IsModifiable": True} for new in new_parameters])

    DBParameterGroup.update_parameters = update_parameters
