using ModelZoo.Contracts;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference;

/// <summary><see cref="SessionOptions"/> in the engine's form.</summary>
internal sealed unsafe class EngineOptions : IDisposable
{
    private readonly OrtApi _api;
    private readonly NativeArena _arena = new();

    public EngineOptions(OrtApi api, SessionOptions options, Device device, string name)
    {
        _api = api;
        OrtSessionOptions* value;
        api.Check(api.CreateSessionOptions(&value));
        Value = value;
        try
        {
            api.Check(api.DisablePerSessionThreads(value));
            api.Check(api.SetSessionLogId(value, _arena.String(name)));
            api.Check(api.SetSessionGraphOptimizationLevel(value, (int)options.Optimization));
            api.Check(api.SetDeterministicCompute(value, options.Deterministic ? (byte)1 : (byte)0));
            if (!options.KeepWorkingMemory) api.Check(api.DisableCpuMemArena(value));
            if (!options.Prepack) Set("session.disable_prepacking", "1");
            if (options.Profile is { } profile) api.Check(api.EnableProfiling(value, _arena.Path(profile)));
            foreach (var (key, setting) in options.EngineSettings) Set(key, setting);
            Append(device);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public OrtSessionOptions* Value { get; }

    public void Dispose()
    {
        _api.ReleaseSessionOptions(Value);
        _arena.Dispose();
    }

    private void Set(string key, string value) => _api.Check(_api.AddSessionConfigEntry(Value, _arena.String(key), _arena.String(value)), key);

    private void Append(Device device)
    {
        switch (device.Kind)
        {
            case DeviceKind.WebGpu when device.Index == 0:
                _api.Check(_api.AppendExecutionProvider(Value, _arena.String("WebGPU"), null, null, 0));
                break;
            case DeviceKind.WebGpu:
                throw new ModelZooException(ErrorCodes.DeviceUnavailable, "The engine offers one WebGPU device, the one that the system prefers.") { Found = device.ToString() };
            case DeviceKind.TensorRt:
                AppendWithOptions(device, _api.CreateTensorRtOptions, _api.UpdateTensorRtOptions, _api.AppendTensorRt, _api.ReleaseTensorRtOptions);
                goto case DeviceKind.Cuda;
            case DeviceKind.Cuda:
                AppendWithOptions(device, _api.CreateCudaOptions, _api.UpdateCudaOptions, _api.AppendCuda, _api.ReleaseCudaOptions);
                break;
        }
    }

    private void AppendWithOptions(
        Device device,
        delegate* unmanaged<OrtProviderOptions**, OrtStatus*> create,
        delegate* unmanaged<OrtProviderOptions*, byte**, byte**, nuint, OrtStatus*> update,
        delegate* unmanaged<OrtSessionOptions*, OrtProviderOptions*, OrtStatus*> append,
        delegate* unmanaged<OrtProviderOptions*, void> release)
    {
        OrtProviderOptions* provider;
        _api.Check(create(&provider));
        try
        {
            _api.Check(update(provider, _arena.Strings(["device_id"]), _arena.Strings([device.Index.ToString()]), 1));
            _api.Check(append(Value, provider));
        }
        finally
        {
            release(provider);
        }
    }
}
