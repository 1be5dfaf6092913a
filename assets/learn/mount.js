// One view a mount: made when a component first comes, kept while its data changes, ended with it.

const views = new WeakMap();

const mounting = (View) => (component) => {
  const { parentElement: root } = component;
  let view = views.get(root);
  if (!view) views.set(root, (view = new View(root)));
  view.update(component.data, component.setStateValue);
  return () => {
    view.end();
    views.delete(root);
  };
};
