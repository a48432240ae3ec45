"""Relational Database Service."""

import uuid
from typing import Any

from moto.rds.models import DBParameterGroup, RDSBackend


def fill_gaps() -> None:
    _instances_are_complete()
    _parameters_say_who_set_them()


def _instances_are_complete() -> None:
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html
    create = RDSBackend.create_db_instance

    def create_db_instance(self: Any, db_kwargs: dict[str, Any]) -> Any:
        instance = create(self, db_kwargs)
        # By this the provider finds an instance; moto gives the same one to all.
        instance.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"
        has_insights = bool(db_kwargs.get("performance_insights_enabled"))
        instance.performance_insights_enabled = has_insights
        if has_insights:
            days = db_kwargs.get("performance_insights_retention_period")
            instance.performance_insights_retention_period = days or 7
            key = db_kwargs.get("performance_insights_kms_key_id")
            instance.performance_insights_kms_key_id = key
        return instance

    RDSBackend.create_db_instance = create_db_instance


def _parameters_say_who_set_them() -> None:
    # The provider takes a parameter without it for one of the engine's defaults.
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Parameter.html
    update = DBParameterGroup.update_parameters

    def update_parameters(self: Any, new_parameters: list[dict[str, Any]]) -> None:
        update(self, [{**new, "Source": "user", "IsModifiable": True} for new in new_parameters])

    DBParameterGroup.update_parameters = update_parameters
