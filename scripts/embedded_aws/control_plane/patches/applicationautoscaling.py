"""Application Auto Scaling."""

from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.responses import ActionResult


def apply() -> None:
    _scaling_targets_have_tags()


def _scaling_targets_have_tags() -> None:
    # https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ListTagsForResource.html
    tags: dict[str, dict[str, str]] = {}
    register = ApplicationAutoScalingResponse.register_scalable_target

    def register_scalable_target(self: Any) -> Any:
        given = self._get_param("Tags")
        answer = register(self)
        if given:
            target = self.applicationautoscaling_backend.targets[
                self._get_param("ScalableDimension")
            ][self._get_param("ResourceId")]
            tags[target.arn] = given
        return answer

    def list_tags_for_resource(self: Any) -> ActionResult:
        return ActionResult({"Tags": tags.get(self._get_param("ResourceARN"), {})})

    def tag_resource(self: Any) -> ActionResult:
        tags.setdefault(self._get_param("ResourceARN"), {}).update(self._get_param("Tags"))
        return ActionResult({})

    def untag_resource(self: Any) -> ActionResult:
        for key in self._get_param("TagKeys"):
            tags.get(self._get_param("ResourceARN"), {}).pop(key, None)
        return ActionResult({})

    ApplicationAutoScalingResponse.register_scalable_target = register_scalable_target
    ApplicationAutoScalingResponse.list_tags_for_resource = list_tags_for_resource
    ApplicationAutoScalingResponse.tag_resource = tag_resource
    ApplicationAutoScalingResponse.untag_resource = untag_resource
