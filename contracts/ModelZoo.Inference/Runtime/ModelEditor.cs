using ModelZoo.Contracts;
using ModelZoo.Inference.Kernels;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary>
/// Hands a <see cref="GraphDefinition"/> to the engine. It starts from a small model of the inputs alone, in ONNX's own format, to which the Model Editor adds the nodes and weights: the Editor gives every symbolic extent of an input the name of
/// the first (ONNX Runtime 1.30), and the engine then plans its memory as if they were one. What the engine has taken over it also releases; the rest is released here.
/// </summary>
internal sealed unsafe class ModelEditor : IDisposable
{
    /// <summary>
    /// Tensors below this size are copied, in bytes. The engine wants it below 128, because it reads them while it infers shapes; and whoever reads a bias from a mapped file brings up to 2 MB of the weights beside it
    /// into memory again, long after those were packed and given back.
    /// </summary>
    private const int SmallestInPlace = 32 << 10;

    // The engine looks whether the domain of our operators is known to the process and then makes it known, in two steps (ONNX Runtime 1.30): of two first sessions at once, one would fail.
    private static readonly Lock Registration = new();

    private readonly OrtApi _api;
    private readonly OrtModelEditorApi _editor;
    private readonly NativeArena _arena = new();
    private readonly LentWeights _weights;
    private readonly SessionKernels _kernels;
    private OrtGraph* _graph;
    private OrtModel* _model;

    private ModelEditor(OrtApi api, LentWeights weights, SessionKernels kernels) => (_api, _editor, _weights, _kernels) = (api, api.ModelEditor, weights, kernels);

    /// <summary>Makes a session of <paramref name="graph"/>, which reads <paramref name="weights"/> and calls <paramref name="kernels"/> that must outlive it.</summary>
    public static OrtSession* CreateSession(OrtApi api, OrtEnv* environment, OrtSessionOptions* options, GraphDefinition graph, LentWeights weights, SessionKernels kernels)
    {
        using var editor = new ModelEditor(api, weights, kernels);
        editor.Build(graph);
        OrtSession* session;
        var inputs = OnnxWriter.Inputs(graph);
        lock (Registration)
        {
            fixed (byte* bytes = inputs) api.Check(editor._editor.CreateEditableSession(environment, bytes, (nuint)inputs.Length, options, &session), graph.Name);
        }

        try
        {
            api.Check(editor._editor.ApplyModel(session, editor._model), graph.Name);
            editor.ReleaseModel();                                                                   // it would hold on to weights that the session gives back while it packs
            api.Check(editor._editor.FinalizeSession(session, options, null), graph.Name);
            return session;
        }
        catch
        {
            api.ReleaseSession(session);
            throw;
        }
    }

    public void Dispose()
    {
        if (_graph is not null) _api.ReleaseGraph(_graph);
        ReleaseModel();
        _arena.Dispose();
    }

    private void ReleaseModel()
    {
        if (_model is not null) _api.ReleaseModel(_model);
        _model = null;
    }

    private void Build(GraphDefinition graph)
    {
        OrtGraph* created;
        _api.Check(_editor.CreateGraph(&created));
        _graph = created;

        SetPorts(graph.Inputs, _editor.SetGraphInputs);
        SetPorts(graph.Outputs, _editor.SetGraphOutputs);
        foreach (var initializer in graph.Initializers) Add(initializer);
        foreach (var node in graph.Nodes) Add(node);

        // The session options bring the domain of our own operators.
        var domains = stackalloc byte*[2] { _arena.String(""), _arena.String("com.microsoft") };
        var versions = stackalloc int[2] { GraphDefinition.OpsetVersion, 1 };
        OrtModel* model;
        _api.Check(_editor.CreateModel(domains, versions, 2, &model));
        _model = model;
        _api.Check(_editor.AddGraphToModel(_model, _graph), graph.Name);
        _graph = null;
    }

    private void SetPorts(IReadOnlyList<GraphPort> ports, delegate* unmanaged<OrtGraph*, OrtValueInfo**, nuint, OrtStatus*> set)
    {
        var values = (OrtValueInfo**)_arena.Array<nint>(ports.Count);
        var made = 0;
        try
        {
            for (; made < ports.Count; made++) values[made] = ValueInfo(ports[made]);
            _api.Check(set(_graph, values, (nuint)made));
            made = 0;
        }
        finally
        {
            for (var i = 0; i < made; i++) _api.ReleaseValueInfo(values[i]);
        }
    }

    // Without names of extents: those of inputs are in the first model, those of outputs the engine infers.
    private OrtValueInfo* ValueInfo(GraphPort port)
    {
        OrtTensorInfo* tensor;
        OrtTypeInfo* type = null;
        OrtValueInfo* value;
        _api.Check(_api.CreateTensorInfo(&tensor));
        try
        {
            var rank = port.Shape.Count;
            var sizes = _arena.Array<long>(rank);
            for (var i = 0; i < rank; i++) sizes[i] = port.Shape[i].Symbol is null ? port.Shape[i].Size : -1;
            _api.Check(_api.SetTensorElementType(tensor, port.Type.ToOnnx()));
            _api.Check(_api.SetDimensions(tensor, sizes, (nuint)rank));
            _api.Check(_editor.CreateTensorTypeInfo(tensor, &type));
            _api.Check(_editor.CreateValueInfo(_arena.String(port.Name), type, &value), port.Name);
            return value;
        }
        finally
        {
            _api.ReleaseTensorInfo(tensor);
            if (type is not null) _api.ReleaseTypeInfo(type);
        }
    }

    private void Add(GraphInitializer initializer)
    {
        var data = initializer.Data;
        var inPlace = data.ByteLength >= SmallestInPlace;
        OrtValue* value;
        if (inPlace) _api.Check(_weights.Lend(data, &value), initializer.Name);
        else value = Copy(data, initializer.Name);
        var status = _editor.AddInitializerToGraph(_graph, _arena.String(initializer.Name), value, inPlace ? (byte)1 : (byte)0);
        if (status is null) return;
        _api.ReleaseValue(value);
        throw _api.Error(status, initializer.Name);
    }

    private OrtValue* Copy(WeightData data, string name)
    {
        OrtAllocator* allocator;
        OrtValue* value;
        void* copy;
        _api.Check(_api.GetDefaultAllocator(&allocator));
        fixed (long* shape = data.Shape) _api.Check(_api.CreateTensor(allocator, shape, (nuint)data.Shape.Length, data.Type.ToOnnx(), &value), name);
        _api.Check(_api.GetTensorMutableData(value, &copy));
        Buffer.MemoryCopy((void*)data.Address, copy, data.ByteLength, data.ByteLength);
        return value;
    }

    private void Add(GraphNode node)
    {
        var attributes = (OrtOpAttr**)_arena.Array<nint>(node.Attributes.Count);
        nuint made = 0;
        try
        {
            foreach (var (name, value) in node.Attributes) attributes[made++] = Attribute(node, name, value);
            OrtNode* created;
            _api.Check(
                _editor.CreateNode(
                    _arena.String(node.Operator), _arena.String(node.Domain), _arena.String(node.Name),
                    _arena.Strings(node.Inputs), (nuint)node.Inputs.Count, _arena.Strings(node.Outputs), (nuint)node.Outputs.Count, attributes, made, &created),
                node.Name);
            var status = _editor.AddNodeToGraph(_graph, created);
            if (status is null) return;
            _api.ReleaseNode(created);
            throw _api.Error(status, node.Name);
        }
        finally
        {
            for (nuint i = 0; i < made; i++) _api.ReleaseOpAttr(attributes[i]);
        }
    }

    private OrtOpAttr* Attribute(GraphNode node, string name, object value)
    {
        switch (value)
        {
            case long number: return Attribute(node, name, &number, 1, OrtAttributeType.Int);
            case float number: return Attribute(node, name, &number, 1, OrtAttributeType.Float);
            case CpuKernel kernel:
                var handle = _kernels.Add(kernel);
                return Attribute(node, name, &handle, 1, OrtAttributeType.Int);
            case string text:
                var bytes = System.Text.Encoding.UTF8.GetBytes(text);
                fixed (byte* first = bytes) return Attribute(node, name, first, bytes.Length, OrtAttributeType.String);
            case long[] numbers: fixed (long* first = numbers) return Attribute(node, name, first, numbers.Length, OrtAttributeType.Ints);
            case float[] numbers: fixed (float* first = numbers) return Attribute(node, name, first, numbers.Length, OrtAttributeType.Floats);
            case string[] texts: return Attribute(node, name, _arena.Strings(texts), texts.Length, OrtAttributeType.Strings);
            default:
                throw new GraphException($"The attribute {name} has a value that no operator takes.")
                { Where = node.Name, Expected = "long, float, string, long[], float[] or string[]", Found = value?.GetType().Name ?? "null" };
        }
    }

    private OrtOpAttr* Attribute(GraphNode node, string name, void* data, int length, OrtAttributeType type)
    {
        OrtOpAttr* attribute;
        byte none = 0;
        _api.Check(_api.CreateOpAttr(_arena.String(name), data is null ? &none : data, length, type, &attribute), $"{node.Name}.{name}");
        return attribute;
    }
}
