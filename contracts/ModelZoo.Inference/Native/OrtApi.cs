namespace ModelZoo.Inference.Native;

/// <summary>
/// The functions of ONNX Runtime's C API that are in use, each at its ordinal in <c>struct OrtApi</c> of onnxruntime_c_api.h.
/// Ordinals never change: the header only ever appends. Those that return <see cref="OrtStatus"/> go through <see cref="Check"/>.
/// </summary>
internal readonly unsafe struct OrtApi(void** table)
{
    /// <summary>The version of the header that the ordinals were read from; libraries from this version on have all of them.</summary>
    public const uint Version = 23;

    /// <summary>The functions themselves.</summary>
    public void** Table => table;

    // Status
    public delegate* unmanaged<int, byte*, OrtStatus*> CreateStatus => (delegate* unmanaged<int, byte*, OrtStatus*>)table[0];
    public delegate* unmanaged<OrtStatus*, int> GetErrorCode => (delegate* unmanaged<OrtStatus*, int>)table[1];
    public delegate* unmanaged<OrtStatus*, byte*> GetErrorMessage => (delegate* unmanaged<OrtStatus*, byte*>)table[2];
    public delegate* unmanaged<OrtStatus*, void> ReleaseStatus => (delegate* unmanaged<OrtStatus*, void>)table[93];

    // Environment and threads
    public delegate* unmanaged<delegate* unmanaged<void*, int, byte*, byte*, byte*, byte*, void>, void*, int, byte*, OrtThreadingOptions*, OrtEnv**, OrtStatus*> CreateEnv =>
        (delegate* unmanaged<delegate* unmanaged<void*, int, byte*, byte*, byte*, byte*, void>, void*, int, byte*, OrtThreadingOptions*, OrtEnv**, OrtStatus*>)table[151];
    public delegate* unmanaged<OrtEnv*, OrtStatus*> DisableTelemetryEvents => (delegate* unmanaged<OrtEnv*, OrtStatus*>)table[6];
    public delegate* unmanaged<OrtEnv*, void> ReleaseEnv => (delegate* unmanaged<OrtEnv*, void>)table[92];
    public delegate* unmanaged<OrtThreadingOptions**, OrtStatus*> CreateThreadingOptions => (delegate* unmanaged<OrtThreadingOptions**, OrtStatus*>)table[121];
    public delegate* unmanaged<OrtThreadingOptions*, void> ReleaseThreadingOptions => (delegate* unmanaged<OrtThreadingOptions*, void>)table[122];
    public delegate* unmanaged<OrtThreadingOptions*, int, OrtStatus*> SetGlobalIntraOpNumThreads => (delegate* unmanaged<OrtThreadingOptions*, int, OrtStatus*>)table[147];
    public delegate* unmanaged<OrtThreadingOptions*, int, OrtStatus*> SetGlobalInterOpNumThreads => (delegate* unmanaged<OrtThreadingOptions*, int, OrtStatus*>)table[148];
    public delegate* unmanaged<OrtThreadingOptions*, int, OrtStatus*> SetGlobalSpinControl => (delegate* unmanaged<OrtThreadingOptions*, int, OrtStatus*>)table[149];
    public delegate* unmanaged<byte***, int*, OrtStatus*> GetAvailableProviders => (delegate* unmanaged<byte***, int*, OrtStatus*>)table[125];
    public delegate* unmanaged<OrtEnv*, OrtEpDevice***, nuint*, OrtStatus*> GetEpDevices => (delegate* unmanaged<OrtEnv*, OrtEpDevice***, nuint*, OrtStatus*>)table[303];
    public delegate* unmanaged<OrtEpDevice*, OrtHardwareDevice*> EpDeviceHardware => (delegate* unmanaged<OrtEpDevice*, OrtHardwareDevice*>)table[316];
    public delegate* unmanaged<OrtHardwareDevice*, int> HardwareDeviceType => (delegate* unmanaged<OrtHardwareDevice*, int>)table[307];
    public delegate* unmanaged<byte**, int, OrtStatus*> ReleaseAvailableProviders => (delegate* unmanaged<byte**, int, OrtStatus*>)table[126];

    // Session options
    public delegate* unmanaged<OrtSessionOptions**, OrtStatus*> CreateSessionOptions => (delegate* unmanaged<OrtSessionOptions**, OrtStatus*>)table[10];
    public delegate* unmanaged<OrtSessionOptions*, void> ReleaseSessionOptions => (delegate* unmanaged<OrtSessionOptions*, void>)table[100];
    public delegate* unmanaged<OrtSessionOptions*, void*, OrtStatus*> EnableProfiling => (delegate* unmanaged<OrtSessionOptions*, void*, OrtStatus*>)table[14];
    public delegate* unmanaged<OrtSessionOptions*, OrtStatus*> DisableCpuMemArena => (delegate* unmanaged<OrtSessionOptions*, OrtStatus*>)table[19];
    public delegate* unmanaged<OrtSessionOptions*, byte*, OrtStatus*> SetSessionLogId => (delegate* unmanaged<OrtSessionOptions*, byte*, OrtStatus*>)table[20];
    public delegate* unmanaged<OrtSessionOptions*, int, OrtStatus*> SetSessionGraphOptimizationLevel => (delegate* unmanaged<OrtSessionOptions*, int, OrtStatus*>)table[23];
    public delegate* unmanaged<OrtSessionOptions*, OrtStatus*> DisablePerSessionThreads => (delegate* unmanaged<OrtSessionOptions*, OrtStatus*>)table[120];
    public delegate* unmanaged<OrtSessionOptions*, byte*, byte*, OrtStatus*> AddSessionConfigEntry => (delegate* unmanaged<OrtSessionOptions*, byte*, byte*, OrtStatus*>)table[130];
    public delegate* unmanaged<OrtSessionOptions*, byte, OrtStatus*> SetDeterministicCompute => (delegate* unmanaged<OrtSessionOptions*, byte, OrtStatus*>)table[273];

    // Execution providers
    public delegate* unmanaged<OrtSessionOptions*, byte*, byte**, byte**, nuint, OrtStatus*> AppendExecutionProvider =>
        (delegate* unmanaged<OrtSessionOptions*, byte*, byte**, byte**, nuint, OrtStatus*>)table[216];
    public delegate* unmanaged<OrtSessionOptions*, OrtProviderOptions*, OrtStatus*> AppendCuda => (delegate* unmanaged<OrtSessionOptions*, OrtProviderOptions*, OrtStatus*>)table[204];
    public delegate* unmanaged<OrtProviderOptions**, OrtStatus*> CreateCudaOptions => (delegate* unmanaged<OrtProviderOptions**, OrtStatus*>)table[205];
    public delegate* unmanaged<OrtProviderOptions*, byte**, byte**, nuint, OrtStatus*> UpdateCudaOptions => (delegate* unmanaged<OrtProviderOptions*, byte**, byte**, nuint, OrtStatus*>)table[206];
    public delegate* unmanaged<OrtProviderOptions*, void> ReleaseCudaOptions => (delegate* unmanaged<OrtProviderOptions*, void>)table[208];
    public delegate* unmanaged<OrtSessionOptions*, OrtProviderOptions*, OrtStatus*> AppendTensorRt => (delegate* unmanaged<OrtSessionOptions*, OrtProviderOptions*, OrtStatus*>)table[170];
    public delegate* unmanaged<OrtProviderOptions**, OrtStatus*> CreateTensorRtOptions => (delegate* unmanaged<OrtProviderOptions**, OrtStatus*>)table[171];
    public delegate* unmanaged<OrtProviderOptions*, byte**, byte**, nuint, OrtStatus*> UpdateTensorRtOptions => (delegate* unmanaged<OrtProviderOptions*, byte**, byte**, nuint, OrtStatus*>)table[172];
    public delegate* unmanaged<OrtProviderOptions*, void> ReleaseTensorRtOptions => (delegate* unmanaged<OrtProviderOptions*, void>)table[174];

    // Sessions
    public delegate* unmanaged<OrtEnv*, void*, OrtSessionOptions*, OrtSession**, OrtStatus*> CreateSession => (delegate* unmanaged<OrtEnv*, void*, OrtSessionOptions*, OrtSession**, OrtStatus*>)table[7];
    public delegate* unmanaged<OrtSession*, void> ReleaseSession => (delegate* unmanaged<OrtSession*, void>)table[95];
    public delegate* unmanaged<OrtSession*, nuint*, OrtStatus*> SessionGetInputCount => (delegate* unmanaged<OrtSession*, nuint*, OrtStatus*>)table[30];
    public delegate* unmanaged<OrtSession*, nuint*, OrtStatus*> SessionGetOutputCount => (delegate* unmanaged<OrtSession*, nuint*, OrtStatus*>)table[31];
    public delegate* unmanaged<OrtSession*, nuint, OrtTypeInfo**, OrtStatus*> SessionGetInputTypeInfo => (delegate* unmanaged<OrtSession*, nuint, OrtTypeInfo**, OrtStatus*>)table[33];
    public delegate* unmanaged<OrtSession*, nuint, OrtTypeInfo**, OrtStatus*> SessionGetOutputTypeInfo => (delegate* unmanaged<OrtSession*, nuint, OrtTypeInfo**, OrtStatus*>)table[34];
    public delegate* unmanaged<OrtSession*, nuint, OrtAllocator*, byte**, OrtStatus*> SessionGetInputName => (delegate* unmanaged<OrtSession*, nuint, OrtAllocator*, byte**, OrtStatus*>)table[36];
    public delegate* unmanaged<OrtSession*, nuint, OrtAllocator*, byte**, OrtStatus*> SessionGetOutputName => (delegate* unmanaged<OrtSession*, nuint, OrtAllocator*, byte**, OrtStatus*>)table[37];
    public delegate* unmanaged<OrtSession*, OrtMemoryInfo**, nuint, OrtStatus*> SessionGetMemoryInfoForOutputs => (delegate* unmanaged<OrtSession*, OrtMemoryInfo**, nuint, OrtStatus*>)table[381];
    public delegate* unmanaged<OrtSession*, OrtRunOptions*, byte**, OrtValue**, nuint, byte**, nuint, OrtValue**, OrtStatus*> Run =>
        (delegate* unmanaged<OrtSession*, OrtRunOptions*, byte**, OrtValue**, nuint, byte**, nuint, OrtValue**, OrtStatus*>)table[9];

    // Run options
    public delegate* unmanaged<OrtRunOptions**, OrtStatus*> CreateRunOptions => (delegate* unmanaged<OrtRunOptions**, OrtStatus*>)table[39];
    public delegate* unmanaged<OrtRunOptions*, OrtStatus*> RunOptionsSetTerminate => (delegate* unmanaged<OrtRunOptions*, OrtStatus*>)table[46];
    public delegate* unmanaged<OrtRunOptions*, OrtStatus*> RunOptionsUnsetTerminate => (delegate* unmanaged<OrtRunOptions*, OrtStatus*>)table[47];
    public delegate* unmanaged<OrtRunOptions*, void> ReleaseRunOptions => (delegate* unmanaged<OrtRunOptions*, void>)table[97];

    // Bindings
    public delegate* unmanaged<OrtSession*, OrtRunOptions*, OrtIoBinding*, OrtStatus*> RunWithBinding => (delegate* unmanaged<OrtSession*, OrtRunOptions*, OrtIoBinding*, OrtStatus*>)table[133];
    public delegate* unmanaged<OrtSession*, OrtIoBinding**, OrtStatus*> CreateIoBinding => (delegate* unmanaged<OrtSession*, OrtIoBinding**, OrtStatus*>)table[134];
    public delegate* unmanaged<OrtIoBinding*, void> ReleaseIoBinding => (delegate* unmanaged<OrtIoBinding*, void>)table[135];
    public delegate* unmanaged<OrtIoBinding*, byte*, OrtValue*, OrtStatus*> BindInput => (delegate* unmanaged<OrtIoBinding*, byte*, OrtValue*, OrtStatus*>)table[136];
    public delegate* unmanaged<OrtIoBinding*, byte*, OrtValue*, OrtStatus*> BindOutput => (delegate* unmanaged<OrtIoBinding*, byte*, OrtValue*, OrtStatus*>)table[137];
    public delegate* unmanaged<OrtIoBinding*, byte*, OrtMemoryInfo*, OrtStatus*> BindOutputToDevice => (delegate* unmanaged<OrtIoBinding*, byte*, OrtMemoryInfo*, OrtStatus*>)table[138];
    public delegate* unmanaged<OrtIoBinding*, OrtAllocator*, OrtValue***, nuint*, OrtStatus*> GetBoundOutputValues =>
        (delegate* unmanaged<OrtIoBinding*, OrtAllocator*, OrtValue***, nuint*, OrtStatus*>)table[140];
    public delegate* unmanaged<OrtIoBinding*, void> ClearBoundInputs => (delegate* unmanaged<OrtIoBinding*, void>)table[141];
    public delegate* unmanaged<OrtIoBinding*, void> ClearBoundOutputs => (delegate* unmanaged<OrtIoBinding*, void>)table[142];

    // Values
    public delegate* unmanaged<OrtAllocator*, long*, nuint, OnnxType, OrtValue**, OrtStatus*> CreateTensor =>
        (delegate* unmanaged<OrtAllocator*, long*, nuint, OnnxType, OrtValue**, OrtStatus*>)table[48];
    public delegate* unmanaged<OrtMemoryInfo*, void*, nuint, long*, nuint, OnnxType, OrtValue**, OrtStatus*> CreateTensorWithData =>
        (delegate* unmanaged<OrtMemoryInfo*, void*, nuint, long*, nuint, OnnxType, OrtValue**, OrtStatus*>)table[49];
    public delegate* unmanaged<OrtAllocator*, void*, nuint, long*, nuint, OnnxType, OrtValue**, OrtStatus*> CreateTensorWithDataAndDeleter =>
        (delegate* unmanaged<OrtAllocator*, void*, nuint, long*, nuint, OnnxType, OrtValue**, OrtStatus*>)table[292];
    public delegate* unmanaged<OrtValue*, void**, OrtStatus*> GetTensorMutableData => (delegate* unmanaged<OrtValue*, void**, OrtStatus*>)table[51];
    public delegate* unmanaged<OrtValue*, OrtTensorInfo**, OrtStatus*> GetTensorTypeAndShape => (delegate* unmanaged<OrtValue*, OrtTensorInfo**, OrtStatus*>)table[65];
    public delegate* unmanaged<OrtValue*, OrtMemoryInfo**, OrtStatus*> GetTensorMemoryInfo => (delegate* unmanaged<OrtValue*, OrtMemoryInfo**, OrtStatus*>)table[194];
    public delegate* unmanaged<OrtEnv*, OrtValue**, OrtValue**, void*, nuint, OrtStatus*> CopyTensors => (delegate* unmanaged<OrtEnv*, OrtValue**, OrtValue**, void*, nuint, OrtStatus*>)table[386];
    public delegate* unmanaged<OrtValue*, void> ReleaseValue => (delegate* unmanaged<OrtValue*, void>)table[96];

    // Types and shapes
    public delegate* unmanaged<OrtTypeInfo*, OrtTensorInfo**, OrtStatus*> CastTypeInfoToTensorInfo => (delegate* unmanaged<OrtTypeInfo*, OrtTensorInfo**, OrtStatus*>)table[55];
    public delegate* unmanaged<OrtTypeInfo*, void> ReleaseTypeInfo => (delegate* unmanaged<OrtTypeInfo*, void>)table[98];
    public delegate* unmanaged<OrtTensorInfo**, OrtStatus*> CreateTensorInfo => (delegate* unmanaged<OrtTensorInfo**, OrtStatus*>)table[57];
    public delegate* unmanaged<OrtTensorInfo*, OnnxType, OrtStatus*> SetTensorElementType => (delegate* unmanaged<OrtTensorInfo*, OnnxType, OrtStatus*>)table[58];
    public delegate* unmanaged<OrtTensorInfo*, long*, nuint, OrtStatus*> SetDimensions => (delegate* unmanaged<OrtTensorInfo*, long*, nuint, OrtStatus*>)table[59];
    public delegate* unmanaged<OrtTensorInfo*, OnnxType*, OrtStatus*> GetTensorElementType => (delegate* unmanaged<OrtTensorInfo*, OnnxType*, OrtStatus*>)table[60];
    public delegate* unmanaged<OrtTensorInfo*, nuint*, OrtStatus*> GetDimensionsCount => (delegate* unmanaged<OrtTensorInfo*, nuint*, OrtStatus*>)table[61];
    public delegate* unmanaged<OrtTensorInfo*, long*, nuint, OrtStatus*> GetDimensions => (delegate* unmanaged<OrtTensorInfo*, long*, nuint, OrtStatus*>)table[62];
    public delegate* unmanaged<OrtTensorInfo*, byte**, nuint, OrtStatus*> GetSymbolicDimensions => (delegate* unmanaged<OrtTensorInfo*, byte**, nuint, OrtStatus*>)table[63];
    public delegate* unmanaged<OrtTensorInfo*, void> ReleaseTensorInfo => (delegate* unmanaged<OrtTensorInfo*, void>)table[99];

    // Memory
    public delegate* unmanaged<byte*, int, int, int, OrtMemoryInfo**, OrtStatus*> CreateMemoryInfo => (delegate* unmanaged<byte*, int, int, int, OrtMemoryInfo**, OrtStatus*>)table[68];
    public delegate* unmanaged<OrtMemoryInfo*, int*, void> MemoryInfoGetDeviceType => (delegate* unmanaged<OrtMemoryInfo*, int*, void>)table[225];
    public delegate* unmanaged<OrtMemoryInfo*, void> ReleaseMemoryInfo => (delegate* unmanaged<OrtMemoryInfo*, void>)table[94];
    public delegate* unmanaged<OrtAllocator*, void*, OrtStatus*> AllocatorFree => (delegate* unmanaged<OrtAllocator*, void*, OrtStatus*>)table[76];
    public delegate* unmanaged<OrtAllocator**, OrtStatus*> GetDefaultAllocator => (delegate* unmanaged<OrtAllocator**, OrtStatus*>)table[78];
    public delegate* unmanaged<OrtSession*, OrtMemoryInfo*, OrtAllocator**, OrtStatus*> CreateAllocator => (delegate* unmanaged<OrtSession*, OrtMemoryInfo*, OrtAllocator**, OrtStatus*>)table[131];
    public delegate* unmanaged<OrtAllocator*, void> ReleaseAllocator => (delegate* unmanaged<OrtAllocator*, void>)table[132];

    // Operators of our own
    public delegate* unmanaged<byte*, OrtCustomOpDomain**, OrtStatus*> CreateCustomOpDomain => (delegate* unmanaged<byte*, OrtCustomOpDomain**, OrtStatus*>)table[26];
    public delegate* unmanaged<OrtCustomOpDomain*, CustomOperator*, OrtStatus*> AddToCustomOpDomain => (delegate* unmanaged<OrtCustomOpDomain*, CustomOperator*, OrtStatus*>)table[27];
    public delegate* unmanaged<OrtSessionOptions*, OrtCustomOpDomain*, OrtStatus*> AddCustomOpDomain => (delegate* unmanaged<OrtSessionOptions*, OrtCustomOpDomain*, OrtStatus*>)table[28];
    public delegate* unmanaged<OrtCustomOpDomain*, void> ReleaseCustomOpDomain => (delegate* unmanaged<OrtCustomOpDomain*, void>)table[101];
    public delegate* unmanaged<OrtKernelInfo*, byte*, long*, OrtStatus*> KernelAttribute => (delegate* unmanaged<OrtKernelInfo*, byte*, long*, OrtStatus*>)table[86];
    public delegate* unmanaged<OrtKernelContext*, nuint*, OrtStatus*> KernelInputCount => (delegate* unmanaged<OrtKernelContext*, nuint*, OrtStatus*>)table[88];
    public delegate* unmanaged<OrtKernelContext*, nuint, OrtValue**, OrtStatus*> KernelInput => (delegate* unmanaged<OrtKernelContext*, nuint, OrtValue**, OrtStatus*>)table[90];
    public delegate* unmanaged<OrtKernelContext*, nuint, long*, nuint, OrtValue**, OrtStatus*> KernelOutput => (delegate* unmanaged<OrtKernelContext*, nuint, long*, nuint, OrtValue**, OrtStatus*>)table[91];
    public delegate* unmanaged<OrtKernelContext*, delegate* unmanaged<void*, nuint, void>, nuint, nuint, void*, OrtStatus*> KernelParallelFor =>
        (delegate* unmanaged<OrtKernelContext*, delegate* unmanaged<void*, nuint, void>, nuint, nuint, void*, OrtStatus*>)table[274];

    // Model editor
    public delegate* unmanaged<byte*, void*, int, OrtAttributeType, OrtOpAttr**, OrtStatus*> CreateOpAttr => (delegate* unmanaged<byte*, void*, int, OrtAttributeType, OrtOpAttr**, OrtStatus*>)table[211];
    public delegate* unmanaged<OrtOpAttr*, void> ReleaseOpAttr => (delegate* unmanaged<OrtOpAttr*, void>)table[212];
    public delegate* unmanaged<OrtValueInfo*, void> ReleaseValueInfo => (delegate* unmanaged<OrtValueInfo*, void>)table[285];
    public delegate* unmanaged<OrtNode*, void> ReleaseNode => (delegate* unmanaged<OrtNode*, void>)table[286];
    public delegate* unmanaged<OrtGraph*, void> ReleaseGraph => (delegate* unmanaged<OrtGraph*, void>)table[287];
    public delegate* unmanaged<OrtModel*, void> ReleaseModel => (delegate* unmanaged<OrtModel*, void>)table[288];
    public OrtModelEditorApi ModelEditor => new(((delegate* unmanaged<void**>)table[291])());

    /// <summary>A description of the processor's own memory; the caller releases it.</summary>
    public OrtMemoryInfo* CpuMemory()
    {
        OrtMemoryInfo* memory;
        fixed (byte* name = "Cpu"u8) Check(CreateMemoryInfo(name, 0, 0, 0, &memory));
        return memory;
    }

    /// <summary>Turns a failure into an exception and releases it.</summary>
    /// <exception cref="Contracts.ModelZooException">The call failed.</exception>
    public void Check(OrtStatus* status, string? where = null)
    {
        if (status is not null) throw Error(status, where);
    }

    /// <summary>Drops a failure that does not matter.</summary>
    public void Ignore(OrtStatus* status)
    {
        if (status is not null) ReleaseStatus(status);
    }

    /// <summary>The failure as an exception; releases it.</summary>
    public Contracts.ModelZooException Error(OrtStatus* status, string? where = null)
    {
        var message = Utf8.Read(GetErrorMessage(status));
        ReleaseStatus(status);
        return new(Contracts.ErrorCodes.EngineFailed, $"ONNX Runtime: {message.TrimEnd()}") { Where = where };
    }
}

/// <summary>The functions of <c>struct OrtModelEditorApi</c> that are in use, each at its ordinal.</summary>
internal readonly unsafe struct OrtModelEditorApi(void** table)
{
    public delegate* unmanaged<OrtTensorInfo*, OrtTypeInfo**, OrtStatus*> CreateTensorTypeInfo => (delegate* unmanaged<OrtTensorInfo*, OrtTypeInfo**, OrtStatus*>)table[0];
    public delegate* unmanaged<byte*, OrtTypeInfo*, OrtValueInfo**, OrtStatus*> CreateValueInfo => (delegate* unmanaged<byte*, OrtTypeInfo*, OrtValueInfo**, OrtStatus*>)table[5];
    public delegate* unmanaged<byte*, byte*, byte*, byte**, nuint, byte**, nuint, OrtOpAttr**, nuint, OrtNode**, OrtStatus*> CreateNode =>
        (delegate* unmanaged<byte*, byte*, byte*, byte**, nuint, byte**, nuint, OrtOpAttr**, nuint, OrtNode**, OrtStatus*>)table[6];
    public delegate* unmanaged<OrtGraph**, OrtStatus*> CreateGraph => (delegate* unmanaged<OrtGraph**, OrtStatus*>)table[7];
    public delegate* unmanaged<OrtGraph*, OrtValueInfo**, nuint, OrtStatus*> SetGraphInputs => (delegate* unmanaged<OrtGraph*, OrtValueInfo**, nuint, OrtStatus*>)table[8];
    public delegate* unmanaged<OrtGraph*, OrtValueInfo**, nuint, OrtStatus*> SetGraphOutputs => (delegate* unmanaged<OrtGraph*, OrtValueInfo**, nuint, OrtStatus*>)table[9];
    public delegate* unmanaged<OrtGraph*, byte*, OrtValue*, byte, OrtStatus*> AddInitializerToGraph => (delegate* unmanaged<OrtGraph*, byte*, OrtValue*, byte, OrtStatus*>)table[10];
    public delegate* unmanaged<OrtGraph*, OrtNode*, OrtStatus*> AddNodeToGraph => (delegate* unmanaged<OrtGraph*, OrtNode*, OrtStatus*>)table[11];
    public delegate* unmanaged<byte**, int*, nuint, OrtModel**, OrtStatus*> CreateModel => (delegate* unmanaged<byte**, int*, nuint, OrtModel**, OrtStatus*>)table[12];
    public delegate* unmanaged<OrtModel*, OrtGraph*, OrtStatus*> AddGraphToModel => (delegate* unmanaged<OrtModel*, OrtGraph*, OrtStatus*>)table[13];
    public delegate* unmanaged<OrtEnv*, void*, nuint, OrtSessionOptions*, OrtSession**, OrtStatus*> CreateEditableSession =>
        (delegate* unmanaged<OrtEnv*, void*, nuint, OrtSessionOptions*, OrtSession**, OrtStatus*>)table[16];
    public delegate* unmanaged<OrtSession*, OrtModel*, OrtStatus*> ApplyModel => (delegate* unmanaged<OrtSession*, OrtModel*, OrtStatus*>)table[18];
    public delegate* unmanaged<OrtSession*, OrtSessionOptions*, void*, OrtStatus*> FinalizeSession => (delegate* unmanaged<OrtSession*, OrtSessionOptions*, void*, OrtStatus*>)table[19];
}
