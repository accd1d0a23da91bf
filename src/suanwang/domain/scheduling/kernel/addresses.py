"""Tables are handed to compiled functions by their address.

To the compiler a tuple of arrays is all the words of all of them: those of `columns.Tables` are 395 arguments, typed,
written down and copied at every call. Here a tuple is put down in memory once, when Python calls an entry, and
functions get one word: where it lies. What they ask for, as `t.nodes`, is read from there.
"""

from typing import Any, TypeVar
from zlib import crc32

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.templates import AttributeTemplate
from numba.extending import NativeValue, infer_getattr, lower_getattr_generic, register_model, typeof_impl, unbox
from numba.np.arrayobj import make_array, populate_array

C = TypeVar("C", bound=type[tuple[Any, ...]])


class Address(types.Type):  # type: ignore[misc]
    """Where a named tuple of arrays, numbers and other such tuples lies."""

    def __init__(self, fields: types.NamedTuple) -> None:
        self.fields = fields
        super().__init__(f"{fields.instance_class.__name__} at {crc32(str(fields).encode()):08x}")

    @property
    def key(self) -> types.NamedTuple:
        return self.fields

    def of(self, name: str) -> types.Type:
        """The type of what is read as `.name`."""
        field = self.fields.types[self.fields.fields.index(name)]
        return Address(field) if isinstance(field, types.NamedTuple) else field


def by_address(tables: C) -> C:
    """Class decorator of the tuples that are handed over like this."""
    typeof_impl.register(tables, lambda value, context: Address(_fields_of(value, context)))
    return tables


def _fields_of(value: Any, context: Any) -> types.NamedTuple:
    return types.NamedTuple([_type_of(field, context) for field in value], type(value))


def _type_of(field: Any, context: Any) -> types.Type:
    kind = typeof_impl(field, context)
    return kind.fields if isinstance(kind, Address) else kind


@register_model(Address)
class _AddressModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, address: Address) -> None:
        super().__init__(manager, address, ir.IntType(8).as_pointer())


@unbox(Address)  # type: ignore[untyped-decorator]
def _put_down(address: Address, value: Any, c: Any) -> NativeValue:
    """For as long as the entry runs."""
    words = c.unbox(address.fields, value)
    there = cgutils.alloca_once_value(c.builder, words.value)
    return NativeValue(c.builder.bitcast(there, cgutils.voidptr_t), is_error=words.is_error, cleanup=words.cleanup)


@infer_getattr
class _FieldTypes(AttributeTemplate):  # type: ignore[misc]
    key = Address

    def generic_resolve(self, address: Address, name: str) -> types.Type | None:
        return address.of(name) if name in address.fields.fields else None


@lower_getattr_generic(Address)  # type: ignore[untyped-decorator]
def _read(context: Any, builder: Any, address: Address, where: Any, name: str) -> Any:
    number = address.fields.fields.index(name)
    field = address.fields.types[number]
    found = _step(context, builder, where, address.fields, number)
    if isinstance(field, types.NamedTuple):
        return found
    if isinstance(field, types.Array):
        return _read_array(context, builder, field, found)
    return _load(builder, found, context.get_value_type(field))


def _step(context: Any, builder: Any, where: Any, struct: types.Type, number: int) -> Any:
    """From the address of a struct to that of one of its members."""
    offset = context.get_value_type(struct).get_element_offset(context.codegen().target_data, number)
    return builder.gep(where, [ir.Constant(ir.IntType(64), offset)], inbounds=True)


def _load(builder: Any, where: Any, kind: Any) -> Any:
    return builder.load(builder.bitcast(where, kind.as_pointer()))


def _read_array(context: Any, builder: Any, kind: types.Array, where: Any) -> Any:
    """As a view: it has no owner that is counted."""
    array = make_array(kind)(context, builder)
    model, parts = context.data_model_manager[kind], {}
    for name in ("data", "shape", "strides"):
        part = _step(context, builder, where, kind, model.get_field_position(name))
        parts[name] = _load(builder, part, context.get_value_type(model.get_type(name)))
    populate_array(array, itemsize=context.get_abi_sizeof(context.get_data_type(kind.dtype)), meminfo=None, **parts)
    return impl_ret_borrowed(context, builder, kind, array._getvalue())
