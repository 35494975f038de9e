"""``model: {onnx: FILE}``: the operators of a network in an ONNX file."""

from __future__ import annotations

from pydantic import Field

from ipusim.files.wording import FieldError, FieldsError
from ipusim.frontends.entries import Entry, Extent
from ipusim.frontends.models.onnx.problems import ModelFileError
from ipusim.frontends.models.source import Generated, ModelContext, ModelSource


class Options(Entry):
    """Of a network in an ONNX file."""

    file: str = Field(description="An .onnx file", min_length=1)
    dims: dict[str, Extent] = Field(
        default_factory=dict,
        description="Extents of the open dimensions of the inputs, by name; one without a name is INPUT/POSITION",
    )


def _build(options: Options, context: ModelContext) -> Generated:
    from ipusim.frontends.models.onnx.importing import import_graph

    source: dict[str, object] = {"file": options.file, **({"dims": dict(options.dims)} if options.dims else {})}
    try:
        return import_graph(context.folder / options.file, options.dims, context.dtype, source)
    except ModelFileError as error:
        raise FieldsError(FieldError(message, path=("file",)) for message in error.messages) from None


MODEL = ModelSource("onnx", "A network in an ONNX file", Options, _build, shorthand="file")
