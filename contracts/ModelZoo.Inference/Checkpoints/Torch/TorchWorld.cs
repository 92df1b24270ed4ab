using System.Globalization;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Inference.Numpy;
using ModelZoo.Inference.Pickle;

namespace ModelZoo.Inference.Torch;

/// <summary>
/// The names that PyTorch checkpoints may use: tensors, NumPy arrays, plain containers, and a few kinds of configuration objects, which are read as data.
/// Every other name is refused, whether or not anything would come of it.
/// </summary>
internal sealed class TorchWorld(string path, Func<string, TorchType, long, TorchStorage> storage) : IPickleWorld
{
    private static readonly HashSet<string> Containers =
    [
        "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "builtins.dict", "__builtin__.dict",
    ];

    private static readonly HashSet<string> Lists =
    [
        "builtins.list", "__builtin__.list", "builtins.tuple", "__builtin__.tuple", "builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset",
        "collections.deque", "torch.Size",
    ];

    private static readonly HashSet<string> Values =
    [
        "builtins.int", "__builtin__.int", "__builtin__.long", "builtins.float", "__builtin__.float", "builtins.str", "__builtin__.str", "__builtin__.unicode",
        "builtins.bool", "__builtin__.bool", "builtins.bytearray", "builtins.bytes", "torch.device",
    ];

    private static readonly HashSet<string> Paths =
    [
        "pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "pathlib.PureWindowsPath", "pathlib._local.PosixPath", "pathlib._local.WindowsPath",
    ];

    private static readonly HashSet<string> Objects =
    [
        "argparse.Namespace", "types.SimpleNamespace", "easydict.EasyDict", "omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig",
        "omegaconf.base.ContainerMetadata", "omegaconf.base.Metadata", "omegaconf.nodes.AnyNode", "omegaconf.nodes.StringNode", "omegaconf.nodes.IntegerNode",
        "omegaconf.nodes.FloatNode", "omegaconf.nodes.BooleanNode", "omegaconf.nodes.BytesNode", "omegaconf.nodes.PathNode",
    ];

    private static readonly HashSet<string> Functions =
    [
        "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3", "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state", "torch._tensor._rebuild_from_type_v2", "torch.nn.parameter.Parameter", "torch.Tensor",
        "numpy.ndarray", "numpy.dtype", "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
        "numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer", "_codecs.encode", "copyreg._reconstructor", "copy_reg._reconstructor", "builtins.object", "__builtin__.object", "typing.Any",
    ];

    public object Global(string module, string name)
    {
        var global = new PickleGlobal(module, name);
        if (Known(global)) return global;
        throw new CheckpointException(ErrorCodes.CheckpointForbidden, "The checkpoint holds an object that is not a tensor or plain data; it is not read, because only the authors' own code could make it.")
        {
            Where = path,
            Expected = "tensors, numbers, texts, lists, dictionaries, argparse.Namespace, OmegaConf",
            Found = $"{module}.{name}",
            Remedy = "Save the state_dict alone, or convert the file to safetensors.",
        };
    }

    public object? Make(PickleGlobal callee, object?[] arguments) => callee.FullName switch
    {
        var name when Containers.Contains(name) => Dictionary(arguments),
        var name when Lists.Contains(name) => List(arguments),
        var name when Values.Contains(name) => arguments.Length == 0 ? null : arguments[0],
        var name when Paths.Contains(name) => string.Join('/', arguments.OfType<string>()).Replace("//", "/"),
        var name when Objects.Contains(name) => new PickleObject(callee),
        "torch._utils._rebuild_tensor" or "torch._utils._rebuild_tensor_v2" => Rebuild(arguments, null),
        "torch._utils._rebuild_tensor_v3" => Rebuild(arguments, At<PickleGlobal>(arguments, 6)),
        "torch._utils._rebuild_parameter" or "torch._utils._rebuild_parameter_with_state" or "torch.nn.parameter.Parameter" => At<TorchTensor>(arguments, 0),
        "torch._tensor._rebuild_from_type_v2" => Make(At<PickleGlobal>(arguments, 0), At<PickleTuple>(arguments, 2).Items),
        "numpy.dtype" => NumpyType.Parse(path, At<string>(arguments, 0)),
        "numpy.core.multiarray._reconstruct" or "numpy._core.multiarray._reconstruct" => new NumpyArray(path),
        "numpy.core.multiarray.scalar" or "numpy._core.multiarray.scalar" => At<NumpyType>(arguments, 0).Scalar(path, At<byte[]>(arguments, 1)),
        "numpy.core.numeric._frombuffer" or "numpy._core.numeric._frombuffer" =>
            new NumpyArray(path, At<NumpyType>(arguments, 1), Numbers(At<PickleTuple>(arguments, 2)), At<string>(arguments, 3) == "F", At<byte[]>(arguments, 0)),
        "_codecs.encode" => Encoding.Latin1.GetBytes(At<string>(arguments, 0)),
        "copyreg._reconstructor" or "copy_reg._reconstructor" => Make(At<PickleGlobal>(arguments, 0), []),
        _ => throw Broken($"The checkpoint calls {callee.FullName}, which makes no data."),
    };

    public void Build(object? target, object? state)
    {
        switch (target)
        {
            case PickleObject instance: SetAttributes(instance, state); break;
            case NumpyArray array: SetState(array, Items(state)); break;
            case NumpyType type: type.SetByteOrder(path, At<string>(Items(state), 1)); break;
            case PickleDictionary or PickleList or TorchTensor: break; // attributes of containers and parameters, such as a state dict's versions: no data of the model
            default: throw Broken("The checkpoint gives attributes to something that has none.");
        }
    }

    // ("storage", type, key, location, count[, view])
    public object? Persistent(object? id)
    {
        var items = Items(id);
        if (At<string>(items, 0) != "storage") throw Broken("The checkpoint refers to something that is not a storage.");
        var name = At<PickleGlobal>(items, 1).Name;
        if (!TorchType.TryGet(name, out var type)) throw Broken($"A storage has the type {name}, which is not supported.");
        if (items.Length > 5 && items[5] is not null) throw Broken("A storage is a view of another; files of PyTorch before 0.4 are not supported.");
        return storage(Key(items.ElementAtOrDefault(2)), type, Number(items, 4));
    }

    private static bool Known(PickleGlobal global) =>
        Containers.Contains(global.FullName) || Lists.Contains(global.FullName) || Values.Contains(global.FullName) || Paths.Contains(global.FullName)
        || Objects.Contains(global.FullName) || Functions.Contains(global.FullName)
        || (global.Module is "torch" or "torch.storage" && TorchType.TryGet(global.Name, out _));

    // (storage, offset, shape, strides, ...): the storage tells the type unless it is given.
    private TorchTensor Rebuild(object?[] arguments, PickleGlobal? dtype)
    {
        var source = At<TorchStorage>(arguments, 0);
        var type = source.Type;
        if (dtype is not null && !TorchType.TryGet(dtype.Name, out type)) throw Broken($"A tensor has the type {dtype.Name}, which is not supported.");
        return new(path, source, type, Number(arguments, 1), Numbers(arguments.ElementAtOrDefault(2)), Numbers(arguments.ElementAtOrDefault(3)));
    }

    private PickleDictionary Dictionary(object?[] arguments)
    {
        var dictionary = new PickleDictionary();
        foreach (var argument in arguments)
        {
            if (argument is PickleDictionary other) dictionary.Items.AddRange(other.Items);
            else if (argument is PickleList pairs)
            {
                foreach (var pair in pairs) dictionary.Items.Add((Items(pair).ElementAtOrDefault(0), Items(pair).ElementAtOrDefault(1)));
            }
        }

        return dictionary;
    }

    private PickleList List(object?[] arguments)
    {
        var list = new PickleList();
        if (arguments.Length > 0) list.AddRange(Items(arguments[0]));
        return list;
    }

    // Attributes as a dictionary, or as a pair of that and one for slots.
    private void SetAttributes(PickleObject instance, object? state)
    {
        switch (state)
        {
            case PickleDictionary attributes: instance.Items.AddRange(attributes.Items); break;
            case PickleTuple { Items.Length: <= 4 } tuple: foreach (var part in tuple.Items.OfType<PickleDictionary>()) instance.Items.AddRange(part.Items); break;
            case null: break;
            default: throw Broken($"An object of {instance.Type.FullName} has attributes in an unknown form.");
        }
    }

    // (version, shape, dtype, is Fortran order, bytes)
    private void SetState(NumpyArray array, object?[] state)
    {
        var type = At<NumpyType>(state, 2);
        array.Set(type, Numbers(At<PickleTuple>(state, 1)), state.ElementAtOrDefault(3) is true, state.ElementAtOrDefault(4) switch
        {
            byte[] bytes => bytes,
            string text => Encoding.Latin1.GetBytes(text),
            _ => throw Broken("A NumPy array holds objects."),
        });
    }

    private object?[] Items(object? value) => value switch
    {
        PickleTuple tuple => tuple.Items,
        PickleList list => [.. list],
        _ => throw Broken("The checkpoint has something else where a tuple belongs."),
    };

    private long[] Numbers(object? value)
    {
        var items = Items(value);
        var numbers = new long[items.Length];
        for (var i = 0; i < numbers.Length; i++) numbers[i] = Number(items, i);
        return numbers;
    }

    private long Number(object?[] items, int index) => index < items.Length && items[index] is long number ? number : throw Broken("The checkpoint has something else where a number belongs.");

    private string Key(object? value) => value as string ?? (value as long?)?.ToString(CultureInfo.InvariantCulture) ?? throw Broken("A storage has no name.");

    private T At<T>(object?[] items, int index) where T : class =>
        index < items.Length && items[index] is T item ? item : throw Broken($"The checkpoint has something else where a {typeof(T).Name} belongs.");

    private CheckpointException Broken(string what) => CheckpointErrors.Malformed(path, what);
}
