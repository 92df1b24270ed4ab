using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(NotImplementing.Plugin))]

namespace NotImplementing;

public sealed class Plugin;
