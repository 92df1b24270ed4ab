namespace ModelZoo.Inference.Native;

// Opaque objects of the C API. They exist only behind pointers, which keeps the pointers apart.
internal readonly struct OrtStatus;
internal readonly struct OrtEnv;
internal readonly struct OrtThreadingOptions;
internal readonly struct OrtSessionOptions;
internal readonly struct OrtSession;
internal readonly struct OrtRunOptions;
internal readonly struct OrtMemoryInfo;
internal readonly struct OrtAllocator;
internal readonly struct OrtValue;
internal readonly struct OrtTypeInfo;
internal readonly struct OrtTensorInfo;
internal readonly struct OrtIoBinding;
internal readonly struct OrtOpAttr;
internal readonly struct OrtValueInfo;
internal readonly struct OrtNode;
internal readonly struct OrtGraph;
internal readonly struct OrtModel;
internal readonly struct OrtProviderOptions;
internal readonly struct OrtEpDevice;
internal readonly struct OrtHardwareDevice;
internal readonly struct OrtCustomOpDomain;
internal readonly struct OrtKernelInfo;
internal readonly struct OrtKernelContext;

/// <summary>ONNXTensorElementDataType.</summary>
internal enum OnnxType
{
    Undefined = 0, Float = 1, UInt8 = 2, Int8 = 3, UInt16 = 4, Int16 = 5, Int32 = 6, Int64 = 7, String = 8, Bool = 9, Float16 = 10, Double = 11, UInt32 = 12, UInt64 = 13,
    BFloat16 = 16, Float8E4M3 = 17, Float8E5M2 = 19,
}

/// <summary>OrtOpAttrType.</summary>
internal enum OrtAttributeType
{
    Int = 1, Ints = 2, Float = 3, Floats = 4, String = 5, Strings = 6,
}
